"""The command line, `python -m feedback`: a file for each command, and what they share.

train.py          train a model, or go on with a run that was stopped
generate.py       let a model write
time.py           measure training steps and generation
export_grader.py  write the exercises for a grader
values.py         what the words after a flag stand for: paths, numbers
console.py        print any text on any console

A flag has the name of the argument in Python that it becomes: the fields of `Config` and `Settings`
in `train` and `time`, the arguments of `LanguageModel.generate` in `generate`.
"""
