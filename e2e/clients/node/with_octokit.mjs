// Three requests with Octokit and its throttling plugin. It reads x-ratelimit-reset as a Unix time,
// as GitHub's API sends it, once x-ratelimit-remaining is 0. The third request meets the limit
// first.
import {Octokit} from "@octokit/core";
import {throttling} from "@octokit/plugin-throttling";

const octokit = new (Octokit.plugin(throttling))({
  baseUrl: process.env.URL,
  auth: process.env.TOKEN,
  throttle: {
    onRateLimit: (_seconds, _options, _octokit, retries) => retries < 1,
    onSecondaryRateLimit: () => false,
  },
  log: {debug() {}, info() {}, warn() {}, error() {}},
});
for (let i = 0; i < 3; i++) {
  console.log((await octokit.request("GET /")).status);
}
