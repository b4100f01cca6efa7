#!/bin/sh
# Databases, users and tables: made where absent, brought to this version where older. Then the API
# is let know whose keys it is to take.
set -eu
python /app/init/make_databases.py
jobchurn db migrate
python /app/init/register_keys.py
airflow db migrate
