"""What chapters call beside the model: their first cell, and the form to train in.

checks/           the checks of the exercises; its own map tells them apart
chapter.py        `begin_chapter`: figure style, random seed, and what this runs on
example.py        four words in printed numbers, for chapters 1, 2 and 4
training_form.py  `choose_and_train`: menus, a button, loss curves

feedback-memory.svg  the architecture, for chapter 4, the introduction and the README
"""
