"""Writes the documented contract: OpenAPI, AsyncAPI, JSON Schemas and `docs/http.md` (`make contract`).

| file | subject |
|---|---|
| `operations.py` | what each endpoint of the API does: the table to extend for a new route |
| `support.py` | the same for the endpoints of health and documentation |
| `operation.py` | the description of one endpoint |
| `identity.py` | who may call an endpoint |
| `parameters.py` | the parameters and the headers, by name |
| `components.py` | the JSON of requests, responses and problems, derived from the code |
| `openapi.py` | the OpenAPI document, from these tables and the app's routes |
| `schemas.py` | the JSON Schema of each event |
| `asyncapi.py` | the AsyncAPI document |
| `samples.py` | requests in sequence: the examples of all documents |
| `recording.py` | runs the service and sends it the samples |
| `compatibility.py` | compares documents with those of a release |
| `page.py` | `docs/http.md` and `requests.http` |

It is not installed: apispec is needed for development only, and the service reads the written files.
"""
