"""The book's exercises for graders: `python -m feedback export-grader NAME OUT`.

What a grader gets is thin: it calls the check that the chapter calls, and shows its sentence. So
there is one set of checks, and a course that updates the package has its new checks.

    grading.py       what its files call: a right answer passes, any other gets its sentence
    chapters.py      the exercises of a chapter, read from its notebook
    notebooks.py     a notebook of a chapter's exercises alone
    otter.py         otter-grader: a notebook and a test file an exercise
    nbgrader.py      nbgrader: a source notebook whose cells bear its metadata
    prairielearn.py  PrairieLearn: a folder a question
    quiz.py          jupyterquiz: the questions that chapters ask before they show
"""
