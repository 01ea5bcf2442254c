"""Searches hyperparameters over many runs, and reports on runs.

Searching:

    plan           `SweepPlan`: what a sweep searches, and for how long
    space          ranges of hyperparameters
    store          trials in a database, shared by several processes
    sweep          `Sweep`: runs trials until the plan is complete
    trial_watch    ends a trial that is worse than the others

Reporting:

    runs           reads the folders of runs and sweeps
    predictions    plays a run's model on its data set
    tables         tables of results
    pictures       figures
    page           HTML
    report         `write_report`: all of them on one page
"""
