"""What is done with the built site: its links checked, its pages weighed, itself shown. Needs only Python."""
