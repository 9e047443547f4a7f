// Three requests with axios and axios-retry, which obeys Retry-After. The third one meets the limit
// first.
import axios from "axios";
import axiosRetry from "axios-retry";

const client = axios.create({headers: {authorization: `Bearer ${process.env.TOKEN}`}});
axiosRetry(client, {retries: 1, retryDelay: axiosRetry.exponentialDelay});
for (let i = 0; i < 3; i++) {
  console.log((await client.get(process.env.URL)).status);
}
