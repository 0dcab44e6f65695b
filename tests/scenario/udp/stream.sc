# A stream needs traffic both ways and more than two seconds.
0.000  > 10.0.0.1:5000 198.51.100.7:53 udp
       = - UNREPLIED timeout 30 class NEW
0.500  < udp
       = - timeout 30 class ESTABLISHED
1.000  > udp
       = - timeout 30
2.500  > udp
       = - ASSURED timeout 120
