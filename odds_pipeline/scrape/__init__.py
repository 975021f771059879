"""One pass over the bookmakers: whom to ask and in which order, and where the answers wait to be written.

``collect.py`` is the loop, ``pacing.py`` the order and the pace, ``recording.py`` turns answers into rows, and
``staging.py`` holds the files in which they wait.
"""
