// Three requests with got, whose retries obey Retry-After. The third one meets the limit first.
import got from "got";

const headers = {authorization: `Bearer ${process.env.TOKEN}`};
for (let i = 0; i < 3; i++) {
  const response = await got(process.env.URL, {headers, retry: {limit: 1, statusCodes: [429, 503]}});
  console.log(response.statusCode);
}
