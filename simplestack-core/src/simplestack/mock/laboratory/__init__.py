"""The mock as a laboratory: clients test themselves against every answer that Simplestack can give.

A world is filled with as many guests as are wanted, and rules make operations slow, fail, hang, or drop the
connection. Rules and counts of calls lie in the mock's database, so that they hold whichever worker answers.
It is there when the setting ``laboratory`` is on; without it nothing of this is in the way of a call.
"""
