#!/usr/bin/env python3
"""Publishes a table of Spark: spark-submit spark.py TABLE KEY FOLDER DROP... FOLDER is one that goromdb can read, too."""
import subprocess
import sys

from pyspark.sql import SparkSession

table, key, folder, *drops = sys.argv[1:]
spark = SparkSession.builder.appName("publish").getOrCreate()
# A folder of parts. Spark writes _SUCCESS last: without it goromdb publishes nothing.
spark.table(table).write.mode("overwrite").option("header", True).csv(folder)
spark.stop()
sys.exit(subprocess.run(["goromdb", "publish", folder, "-key", key, *drops]).returncode)
