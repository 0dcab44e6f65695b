# An error about a flow is related to it and changes nothing of it.
0.000   > 10.0.0.1:5002 198.51.100.7:33434 udp
10.000  < icmp unreachable from 203.0.113.9
        = - UNREPLIED timeout 20 class RELATED
