# Both servers of a path; iperf3 beside nginx, which takes this process over.
iperf3 -s >iperf3.log &
exec nginx -p "$PWD/" -g "pid $$.pid;" -c nginx.conf
