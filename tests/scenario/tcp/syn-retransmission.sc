# Repeated SYNs do not keep an entry alive.
0.000    > 10.0.0.1:40003 198.51.100.7:443 tcp S seq 100
         = SYN_SENT UNREPLIED timeout 120
60.000   > tcp S seq 100
         = SYN_SENT UNREPLIED timeout 60 class NEW
119.000  > tcp S seq 7777
         = SYN_SENT UNREPLIED timeout 1
