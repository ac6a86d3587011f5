"""Stands in for a shipped configuration of NVIDIA's tree (configs/SYSTEM/SCENARIO/BENCHMARK.py of v5.1)."""

import code.fields.models as model_fields

EXPORTS = {"cp990": {model_fields.precision: "fp4"}, "cp999": {model_fields.precision: "fp4"}}
