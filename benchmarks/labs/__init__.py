"""What only toril is asked: each module is a process, `LAB quick|full [ARGUMENT]…`, and prints JSON.

They start their own servers, so that nothing else is on them.
"""
