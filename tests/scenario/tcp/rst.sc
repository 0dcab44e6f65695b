# A RST that is not exact leaves the state and cuts the timeout; an exact one closes.
0.000  > 10.0.0.1:40001 198.51.100.7:443 tcp S seq 100
0.010  < tcp SA seq 500 ack 101
0.020  > tcp A seq 101 ack 501
0.030  < tcp PA seq 501 ack 101 len 10
0.040  > tcp A seq 101 ack 511
       = ESTABLISHED ASSURED timeout 432000
0.050  < tcp R seq 480
       = ESTABLISHED ASSURED timeout 432000 class INVALID
0.060  < tcp R seq 520
       = ESTABLISHED ASSURED timeout 10
0.070  < tcp R seq 511
       = CLOSE ASSURED timeout 10
