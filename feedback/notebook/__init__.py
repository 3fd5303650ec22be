"""What chapters call beside the model: their first cell, and the form to train in.

chapter.py        `begin_chapter`: figure style, random seed, and what this runs on
training_form.py  `choose_and_train`: menus, a button, loss curves
"""
