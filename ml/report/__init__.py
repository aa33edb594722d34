"""What a person reads about a model version: words, tables and plots.

- `card`: a card is written and read: the only one that others call
- `facts`: what a card says, section by section
- `tables`: its tables
- `words`: what metrics, limits and plots are called; how numbers are written
- `markdown`: from facts to Markdown, in which every value is text
- `html`: from Markdown to one page
- `templates`: the templates beside these modules
- `plots`: the plots
"""
