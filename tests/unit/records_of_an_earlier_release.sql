-- The records as the first releases made them: no constraints, no effects, no champions, columns in another order.
create schema records;
create table records.model_versions (
    prediction varchar, version integer, candidate varchar, trained_at timestamp, code_version varchar,
    data_fingerprint varchar, load_ids varchar[], first_as_of_date date, last_as_of_date date,
    example_count bigint, holdout_first_as_of_date date, holdout_last_as_of_date date,
    features varchar, libraries varchar, file varchar, file_hash varchar,
    task varchar, label varchar, horizon_days integer, evaluated_file varchar, evaluated_file_hash varchar
);
insert into records.model_versions
select
    'will_return', version, 'linear', timestamp '2024-05-01 10:00:00' + to_days(version::integer), 'commit', 'data',
    ['load a', 'load b'], date '2024-01-07', date '2024-03-03', 1000, date '2024-03-24', date '2024-04-07',
    '{"strength": "numeric"}', '{"duckdb": "1.4"}', 'will_return/' || version || '/service.skops', 'hash', 'binary',
    'outcome', 14, 'will_return/' || version || '/evaluated.skops', 'hash'
from range(1, 3) as versions(version);
create table records.evaluations (
    prediction varchar, version integer, candidate varchar, group_column varchar, group_value varchar,
    metric varchar, value double, example_count bigint
);
insert into records.evaluations
select 'will_return', version, candidate, '', '', metric, 0.5, 200
from range(1, 3) as versions(version)
cross join (values ('linear'), ('baseline')) as candidates(candidate)
cross join (values ('log_loss'), ('roc_auc'), ('calibration_error')) as metrics(metric);
create table records.promotions (
    prediction varchar, version integer, decided_at timestamp, is_promoted boolean, reason varchar,
    metric varchar, challenger_value double, baseline_value double, champion_version integer, champion_value double
);
insert into records.promotions
select
    'will_return', version, timestamp '2024-05-01 10:00:00' + to_days(version::integer), version = 1, 'It is better.',
    'roc_auc', 0.9, 0.5, case when version = 2 then 1 end, case when version = 2 then 0.9 end
from range(1, 3) as versions(version);
create table records.loads (
    load_id varchar, source varchar, table_name varchar, file_name varchar, file_hash varchar, byte_count bigint,
    row_count bigint, refused_row_count bigint, columns varchar[], contract varchar, loaded_at timestamp,
    path varchar, accepted_by varchar, accepted_because varchar
);
insert into records.loads
values (
    'load a', 'shop', 'orders', 'orders.csv', 'hash', 10, 2, 0, ['order_id'], '{}', '2024-05-01 09:00:00', 'loads/a',
    null, null
);
create table records.current_loads (source varchar, table_name varchar, load_id varchar);
insert into records.current_loads values ('shop', 'orders', 'load a');
create table records.built_from (model varchar, load_id varchar, built_at timestamp);
insert into records.built_from values ('model.turnout.orders', 'load a', '2024-05-01 09:30:00');
