select
    campaign_id,
    household_id
from {{ source('complete_journey', 'campaigns') }}
