# A closed window and repeated acknowledgements shorten the timeout.
0.000  > 10.0.0.1:40006 198.51.100.7:443 tcp S seq 100
0.010  < tcp SA seq 500 ack 101
0.020  > tcp A seq 101 ack 501
0.030  > tcp A seq 101 ack 501 win 0
       = ESTABLISHED ASSURED timeout 300
0.040  > tcp A seq 101 ack 501 win 5000
       = ESTABLISHED ASSURED timeout 432000
0.050  > tcp A seq 101 ack 501 win 5000
0.060  > tcp A seq 101 ack 501 win 5000
0.070  > tcp A seq 101 ack 501 win 5000
       = ESTABLISHED ASSURED timeout 300
