// What the parameters of serverless.yml mean: lists from commas, which templates a stage is made of, and errors that name
// a value. Part of serverless.yml.

const CHOICES = {
  engine: ["torchscript", "onnx", "onnx-int8"],
  architecture: ["x86_64", "arm64"],
  python: ["3.12", "3.13", "3.14"],
  package: ["archive", "image"],
  wheels: ["locked", "installed"],
  site: ["cloudfront", "website"],
};

// Parameters of the command line are text, and so may be those of serverless.yml.
const list = (value) => (Array.isArray(value) ? value : String(value).split(",").map((part) => part.trim()).filter(Boolean));

const number = (name, value, low, high) => {
  const found = Number(value);
  if (String(value).trim() === "" || !(found >= low && found <= high)) {
    throw wrong(name, value, `a number from ${low} to ${high}`);
  }
  return found;
};

const flag = (name, value) => {
  if (!["true", "false"].includes(String(value))) throw wrong(name, value, "true or false");
  return String(value) === "true";
};

const wrong = (name, value, expected) => {
  const error = new Error(`--param=${name}=${value}: expected ${expected}`);
  error.stack = error.message; // osls prints the stack
  return error;
};

module.exports = async ({ resolveVariable }) => {
  const param = (name) => resolveVariable(`param:${name}`);
  const chosen = {};
  for (const [name, values] of Object.entries(CHOICES)) {
    chosen[name] = await param(name);
    if (!values.includes(chosen[name])) throw wrong(name, chosen[name], values.join(" or "));
  }
  // The archive with PyTorch was never run there.
  if (chosen.engine === "torchscript" && chosen.python === "3.14") {
    throw wrong("python", chosen.python, "3.12 or 3.13 with engine=torchscript, or engine=onnx");
  }
  const cloudfront = chosen.site === "cloudfront";
  const domain = await param("domain");
  const certificate = await param("certificate");
  if (domain && !/^arn:aws[a-z-]*:acm:us-east-1:/.test(certificate)) {
    throw wrong("certificate", certificate, `the ARN of a certificate for ${domain} in us-east-1, CloudFront's region`);
  }
  const clientRate = await param("clientRate");
  if ((domain || clientRate !== "none") && !cloudfront) {
    throw wrong("site", chosen.site, "cloudfront, which domain and clientRate are for");
  }
  const email = await param("alarmEmail");
  const budget = await param("budget");
  if (budget !== "none" && !email) throw wrong("budget", budget, "alarmEmail beside it, for whom to tell");
  const canary = await param("canary");
  const share = canary === "none" ? null : /^(\d{1,2})%,(\d{1,3})min$/.exec(canary);
  if (canary !== "none" && !(share && share[1] >= 1 && share[2] >= 1)) {
    throw wrong("canary", canary, "none, or a share and minutes such as 10%,5min");
  }

  // Through CloudFront the page and the API have one name, and no origin is needed for the page.
  const own = cloudfront ? [] : [{ "Fn::GetAtt": ["SiteBucket", "WebsiteURL"] }];
  const origins = [...own, ...list(await param("origins"))];
  const concurrency = await param("concurrency");
  const tracing = flag("tracing", await param("tracing"));
  const templates = [
    "resources",
    "alarms",
    `site-${chosen.site}`,
    ...(origins.length ? ["cors"] : []),
    ...(email ? ["email"] : []),
    ...(budget === "none" ? [] : ["budget"]),
    ...(share ? ["canary"] : []),
    ...(tracing ? ["tracing"] : []),
  ];
  return {
    origins,
    alarmActions: [...list(await param("alarmTopics")), ...(email ? [{ Ref: "AlarmTopic" }] : [])],
    // null: what the account has left. A parameter itself can't be null, the default would take its place.
    concurrency: concurrency === "none" ? null : number("concurrency", concurrency, 1, 1000),
    memory: number("memory", await param("memory"), 128, 10240),
    timeout: number("timeout", await param("timeout"), 1, 29),
    rate: number("rate", await param("rate"), 1, 10000),
    burst: number("burst", await param("burst"), 1, 5000),
    slow: number("slow", await param("slow"), 1, 30000),
    logDays: number("logDays", await param("logDays"), 1, 3653),
    patience: number("patience", await param("patience"), 1, 900),
    clientRate: clientRate === "none" ? null : number("clientRate", clientRate, 10, 2000000000),
    budget: budget === "none" ? null : number("budget", budget, 1, 1000000),
    warm: flag("warm", await param("warm")),
    snapstart: flag("snapstart", await param("snapstart")),
    tracing: tracing ? "Active" : "PassThrough",
    canary: share && { percent: Number(share[1]), minutes: Number(share[2]) },
    siteUrl: domain ? `https://${domain}` : { "Fn::Sub": "https://${Distribution.DomainName}" },
    boundary: (await param("boundary")) || null,
    aliases: domain ? [domain] : null,
    certificate: domain
      ? { AcmCertificateArn: certificate, SslSupportMethod: "sni-only", MinimumProtocolVersion: "TLSv1.2_2021" }
      : { CloudFrontDefaultCertificate: true },
    handler: chosen.package === "archive" ? "handler.lambda_entry.handler" : null,
    image: chosen.package === "image" ? { name: "carvae" } : null,
    platform: chosen.architecture === "arm64" ? "linux/arm64" : "linux/amd64",
    templates: templates.map((name) => `\${file(deploy/${name}.yml)}`),
  };
};
