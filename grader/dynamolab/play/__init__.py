"""The playground: a real cluster on a page, to be watched and broken by hand.

    session.py    what is done to the cluster            watch.py     what there is to see of it
    workload.py   clients in the background              feed.py      what is told to pages, and recorded
    server.py     the page and its questions             scripts.py   prepared demonstrations
"""
