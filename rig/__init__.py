"""Starts, drives and judges the service, for the tests, the faults, the bench and the deployment's trial.

| file | subject |
|---|---|
| `waiting.py` | deadlines that grow with the load of the machine |
| `processes.py` | one process: start, signal, stop; its children, CPU time and memory |
| `databases.py` | the service's two databases, migrated |
| `deployment.py` | all processes of the service on databases and topics of their own |
| `customers.py` | customers who order at a rate, retry, cancel and remember the answers |
| `history.py` | everything that the service wrote: tables and records |
| `stored.py` | reads tables and records into a history |
| `promises.py` | the judge: names each promise that a history breaks |
| `prometheus.py` | a real Prometheus that scrapes processes, and the programs that come with it |
| `dashboards/` | writes the dashboards for Grafana: `make dashboards` |
| `documents/` | writes the documented contract: `make contract` |
| `walk/` | types the commands of a page of `docs/` in terminals, and compares their output |
| `simulation/` | the service's code in a simulated world, where a seed decides everything |

`waiting.py`, `customers.py` and `promises.py` import only the standard library and each other, because
`docker/try` runs on any Python. The package `orders_service` never imports `rig`.
"""
