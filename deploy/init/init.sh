#!/bin/sh
# Databases, users and tables: made where absent, brought to this version where older.
set -eu
python /app/init/make_databases.py
jobchurn db migrate
airflow db migrate
