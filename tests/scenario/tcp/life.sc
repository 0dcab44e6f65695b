# One connection from SYN to the SYN that uses its tuple again.
0.000  > 10.0.0.1:40000 198.51.100.7:443 tcp S seq 100 win 64240
       = SYN_SENT UNREPLIED timeout 120 class NEW
0.010  < tcp SA seq 500 ack 101 win 65160
       = SYN_RECV timeout 60 class ESTABLISHED
0.020  > tcp A seq 101 ack 501
       = ESTABLISHED ASSURED timeout 432000
0.030  > tcp PA seq 101 ack 501 len 100
       = ESTABLISHED ASSURED timeout 300
0.040  < tcp A seq 501 ack 201
       = ESTABLISHED ASSURED timeout 432000
0.050  > tcp FA seq 201 ack 501
       = FIN_WAIT ASSURED timeout 120
0.060  < tcp A seq 501 ack 202
       = CLOSE_WAIT ASSURED timeout 60
0.070  < tcp FA seq 501 ack 202
       = LAST_ACK ASSURED timeout 30
0.080  > tcp A seq 202 ack 502
       = TIME_WAIT ASSURED timeout 120
0.090  > tcp S seq 9000
       = SYN_SENT UNREPLIED timeout 120 class NEW
