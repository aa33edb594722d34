select interval '{{ horizon_days() }}' day as horizon
