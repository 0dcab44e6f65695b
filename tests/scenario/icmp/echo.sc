0.000  > 10.0.0.1 198.51.100.7 icmp echo id 7
       = - UNREPLIED timeout 30 class NEW
1.000  < icmp reply id 7
       = - timeout 30 class ESTABLISHED
