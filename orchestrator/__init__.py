"""mlperf-docker: run MLPerf Inference in containers, judge by the round's rules, keep proof."""

__version__ = "0.1.0"
