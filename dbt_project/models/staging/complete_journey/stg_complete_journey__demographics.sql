select
    household_id,
    age as age_band,
    income as income_band,
    home_ownership,
    marital_status,
    household_size as household_size_band,
    household_comp as household_composition,
    kids_count as kids_band
from {{ source('complete_journey', 'demographics') }}
