"""Say what this machine has and what will run on it, in lines that a bug report wants."""

import dataclasses

from absl import flags

from ..benchmarks.self_test import try_parts
from ..machine.diagnosis import FAULT, Finding, diagnose, summarise
from ..machine.looking import look_at_machine, look_at_networks, look_at_tensorflow
from ..machine.trial import Trial, TrialError
from ..terminal import announce


def define_flags(values: flags.FlagValues) -> None:
    text = "Try a morph, a film, a model and some training steps as well: 20 seconds more."
    flags.DEFINE_bool("self_test", True, text, flag_values=values)


def run(values: flags.FlagValues) -> int:
    machine = look_at_machine()
    findings: list[Finding] = []
    with Trial() as trial:
        announce("Loading TensorFlow ...")
        try:
            build, num_seen = trial.run(look_at_tensorflow)
            machine = dataclasses.replace(machine, tensorflow=build, num_seen=num_seen)
            machine = dataclasses.replace(machine, networks=trial.run(look_at_networks))
        except TrialError as error:
            machine = dataclasses.replace(machine, import_error=str(error))
        findings += diagnose(machine)
        for finding in findings:
            print(finding)
        if values.self_test and machine.tensorflow:
            for finding in try_parts(trial):
                print(finding, flush=True)
                findings.append(finding)
    print(summarise(findings))
    return 2 if any(finding.level == FAULT for finding in findings) else 0
