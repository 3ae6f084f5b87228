"""Virtual appliances: guests as archives, described in the Open Virtualization Format (OVF). Pure functions.

Reference: DMTF DSP0243, "Open Virtualization Format Specification" 1.1.0.
"""
