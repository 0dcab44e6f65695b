# Picked up in the middle: not for days until both sides were seen.
0.000  > 10.0.0.1:40004 198.51.100.7:443 tcp A seq 100 ack 500
       = ESTABLISHED UNREPLIED timeout 300 class NEW
0.010  < tcp A seq 500 ack 100
       = ESTABLISHED timeout 300
0.020  > tcp A seq 100 ack 500
       = ESTABLISHED ASSURED timeout 432000
