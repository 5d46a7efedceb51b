import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parseIperf } from '../load/iperf3.ts';
import { costOf } from '../load/process-cost.ts';
import { parseWrk } from '../load/wrk.ts';

const wrkOutput = `Running 3s test @ http://10.244.2.2:8080/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.10ms    1.02ms  20.11ms   91.42%
    Req/Sec    10.31k   812.00    11.90k    70.00%
  Latency Distribution
     50%    2.95ms
     75%    3.30ms
     90%  812.00us
     99%    1.20s 
  30891 requests in 3.01s, 10.61MB read
  Socket errors: connect 1, read 2, write 0, timeout 3
  Non-2xx or 3xx responses: 4
Requests/sec:  10262.79
Transfer/sec:      3.52MB`;

describe('load generators', () => {
  it('reads rate, total, percentiles in any unit, and every kind of error from wrk', () => {
    expect(parseWrk(wrkOutput)).to.deep.equal({
      requests: 30891,
      requestsPerSecond: 10262.79,
      p50Us: 2950,
      p99Us: 1_200_000,
      errors: 10,
    });
  });

  it('fails with the output when wrk has no result', () => {
    expect(() => parseWrk('unable to connect to 10.0.0.1:80 Connection refused')).to.throw('unable to connect');
  });

  it('reads received bytes from iperf3 and fails with its error otherwise', () => {
    expect(parseIperf('{"end":{"sum_received":{"bytes":1000,"bits_per_second":8000}}}')).to.deep.equal({
      bytes: 1000,
      bitsPerSecond: 8000,
    });
    expect(() => parseIperf('{"error":"unable to connect to server"}')).to.throw('unable to connect to server');
  });

  it('measures a living process and sums CPU over several', () => {
    const one = costOf([process.pid]);
    expect(one.residentMib).to.be.greaterThan(10);
    expect(costOf([]).cpuSeconds).to.equal(0);
    expect(costOf([process.pid, process.pid]).cpuSeconds).to.be.at.least(one.cpuSeconds * 2);
  });
});
