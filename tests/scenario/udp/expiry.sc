0.000   > 10.0.0.1:5001 198.51.100.7:53 udp
29.000  > udp
        = - UNREPLIED timeout 30 class NEW
60.000  < udp
        = gone
