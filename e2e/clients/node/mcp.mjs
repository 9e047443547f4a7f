// What a client of the Model Context Protocol does with a server that it knows nothing about but
// its address, with the functions of the official SDK: from a 401 to the metadata of the resource,
// to the authorization server, to a token, to a 200.
import {
  discoverAuthorizationServerMetadata, discoverOAuthProtectedResourceMetadata, exchangeAuthorization, extractWWWAuthenticateParams,
  selectResourceURL, startAuthorization,
} from "@modelcontextprotocol/sdk/client/auth.js";

const server = process.env.URL;
const client = {client_id: "web", client_secret: "secret"};
const redirectUrl = "http://127.0.0.1/callback";

const refused = await fetch(server);
console.log(refused.status);
const {resourceMetadataUrl} = extractWWWAuthenticateParams(refused);
const resourceMetadata = await discoverOAuthProtectedResourceMetadata(server, {resourceMetadataUrl});
console.log(resourceMetadata.resource);
// It refuses metadata that is another resource's.
const resource = await selectResourceURL(server, {}, resourceMetadata);
const authorizationServer = resourceMetadata.authorization_servers[0];
const metadata = await discoverAuthorizationServerMetadata(authorizationServer);
console.log(metadata.issuer);

const {authorizationUrl, codeVerifier} = await startAuthorization(authorizationServer, {
  metadata, clientInformation: client, redirectUrl, scope: resourceMetadata.scopes_supported?.join(" "), resource,
});
const code = await logIn(authorizationUrl);
const tokens = await exchangeAuthorization(authorizationServer, {
  metadata, clientInformation: client, authorizationCode: code, codeVerifier, redirectUri: redirectUrl, resource,
});
const admitted = await fetch(server, {headers: {authorization: `Bearer ${tokens.access_token}`}});
console.log(admitted.status);

// logIn is what a person does in a browser.
async function logIn(url) {
  const redirect = async (where, options = {}) => {
    const response = await fetch(where, {...options, redirect: "manual"});
    if (response.status !== 302) throw new Error(`${where}: ${response.status} ${await response.text()}`);
    return new URL(response.headers.get("location"), where);
  };
  const login = await redirect(url);
  const form = new URLSearchParams({id: login.searchParams.get("authRequestID"), username: "test-user2", password: "verysecure"});
  const callback = await redirect(login, {method: "POST", body: form});
  return (await redirect(callback)).searchParams.get("code");
}
