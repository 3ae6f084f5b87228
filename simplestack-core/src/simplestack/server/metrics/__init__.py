"""Figures for Prometheus: ``GET /metrics``.

They are the service's, not one worker's: with prometheus-client's multiprocess mode
(https://prometheus.github.io/client_python/multiprocess/), each worker writes its figures into files, and any
worker can add them up.
"""
