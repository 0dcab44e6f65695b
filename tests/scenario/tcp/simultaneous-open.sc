0.000  > 10.0.0.1:40007 198.51.100.7:443 tcp S seq 100
0.010  < tcp S seq 500
       = SYN_SENT2 timeout 120
0.020  > tcp SA seq 100 ack 501
       = SYN_RECV timeout 60
0.030  < tcp A seq 501 ack 101
       = ESTABLISHED ASSURED timeout 432000
