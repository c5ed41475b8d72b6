"""One replica against four, over the zoo: in a process of its own, since that of the other tests has two devices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

DEVICES = 4


@pytest.mark.long
def test_one_replica_equals_four():
    tests = Path(__file__).parents[1]
    places = os.pathsep.join(map(str, (tests, tests / "models")))
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": places}
    )
    assert done.returncode == 0, done.stderr[-3000:]


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(DEVICES)])
    from test_conformance import test_one_replica_equals_two as hold_one_against
    from zoo import ZOO

    for specimen in ZOO:
        hold_one_against(specimen, strategy)
        print(specimen, flush=True)


if __name__ == "__main__":
    main()
