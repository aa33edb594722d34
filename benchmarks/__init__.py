"""Speed, memory, and quality beside rivals and limits, measured in the same run.

Each module says in its first lines what it shows and how to run it.
"""

import ml  # noqa: F401 - it says how idle threads wait, which must be said before scikit-learn is imported
