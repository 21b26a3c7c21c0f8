"""A second, deliberately naive reading of the clinic's rules, to be compared with the service on random histories.

It shares no code with the service: everything is computed anew from the list of events for one instant.
"""
