"""The same numbers, sooner: what the shared model trains with, and what all models generate with.

The models (one folder up) are the plain account; nothing here adds to what they compute. Passes are
the one thing that may give other numbers: they are approximate before they are exact, and say so.
In reading order:

    weights.py      what does not depend on the step, worked into the weights      chapter 7
    choice.py       which of two equal ways is quicker here, measured once         chapter 7
    linear.py       the linear maps of a layer, ready for many calls               chapter 7
    scores.py       attention scores of single queries                             chapter 7
    dropout.py      masks, drawn before the loop                                   chapter 7b
    forward.py      the steps forward                                              chapter 7
    backward.py     the steps backward                                             chapter 7b
    blocks.py       what they gather: gradients of weights and of the far past     chapter 7b
    sequence.py     both directions as one autograd function                       chapter 7b
    generation.py   one token after another, without gradients                     chapters 5 and 9
    passes.py       all steps at once, again and again: approximate, then exact    chapter 12
    implicit.py     exact gradients by passes                                      chapter 12
    reading.py      a prompt by passes, in a window that slides                    chapter 12
    eligibility.py  which models may run this way: those that are what their config builds
"""
