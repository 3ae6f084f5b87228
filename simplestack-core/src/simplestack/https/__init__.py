"""HTTPS to hypervisors: verified certificates, time limits, and no change that is sent twice."""
