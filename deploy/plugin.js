// Extends osls's `sls deploy`, `sls rollback` and `sls remove` for carvae: builds the function's archive and the model
// where they are missing, publishes the model before a version of the function names it, has the gateway call the alias
// `live` of a numbered version, and rolls back a version that doesn't answer. The steps on AWS are in deploy/stack.py,
// which scripts/stack.py calls.
const { spawnSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const readline = require("readline/promises");

const ROOT = path.dirname(__dirname);
const ALIAS = { name: "live", logicalId: "LiveAlias" };

module.exports = class Carvae {
  constructor(serverless, options) {
    this.serverless = serverless;
    this.options = options;
    this.commands = { remove: { options: { yes: { usage: "Remove without asking", type: "boolean" } } } };
    this.hooks = {
      "before:package:cleanup": () => this.prepare(),
      "before:package:createDeploymentArtifacts": () => this.build(),
      "after:package:initialize": () => this.createModelBucketFirst(),
      "before:package:compileFunctions": () => this.nameModel(),
      "after:package:compileFunctions": () => this.addAlias(),
      "after:aws:package:finalize:mergeCustomProviderResources": () => this.guardPage(),
      "after:aws:deploy:deploy:createStack": () => this.step("publish"),
      "after:deploy:deploy": () => this.finish(),
      "before:rollback:rollback": () => this.beforeRollback(),
      "after:rollback:rollback": () => this.afterRollback(),
      "before:remove:remove": () => this.beforeRemoval(),
      "after:remove:remove": () => this.step("unguard"),
    };
  }

  get service() {
    return this.serverless.service;
  }

  get settings() {
    return this.service.custom.settings;
  }

  get bundle() {
    return path.resolve(ROOT, this.service.custom.bundle);
  }

  fail(message) {
    return new this.serverless.classes.Error(message, "CARVAE");
  }

  // Checks come before anything is built.
  prepare() {
    const [major, minor] = process.versions.node.split(".").map(Number);
    if (!((major === 20 && minor >= 19) || (major === 22 && minor >= 13) || major >= 24)) {
      throw this.fail(`Node.js 20.19, 22.13 or 24 and later is needed; this is ${process.versions.node}`);
    }
    if (this.settings.snapstart && this.settings.image) {
      throw this.fail("--param=snapstart=true: Lambda takes snapshots of archives only, not with --param=package=image");
    }
    this.make(".venv/deploy.stamp");
    if (this.serverless.processedInput.commands[0] === "deploy") this.live = this.step("check").live;
    this.findModel();
  }

  // What the bundle's manifest says; the released model's bundle is built if it is not there.
  findModel() {
    const manifest = path.join(this.bundle, "manifest.json");
    if (!fs.existsSync(manifest)) {
      if (this.bundle !== path.join(ROOT, "build", "bundle")) {
        throw this.fail(`--param=bundle=${this.service.custom.bundle}: no manifest.json there`);
      }
      this.make("build/bundle/manifest.json");
    }
    this.model = JSON.parse(fs.readFileSync(manifest, "utf8")).version;
    if (!/^[\w.-]+$/.test(this.model)) throw this.fail(`${manifest}: ${JSON.stringify(this.model)} is no version`);
  }

  build() {
    if (this.settings.image) return;
    const { engine, architecture, python, wheels } = this.service.custom;
    const options = [`--engine=${engine}`, `--architecture=${architecture}`];
    options.push(wheels === "installed" ? "--same-interpreter" : `--python=${python}`);
    this.run(this.python, ["scripts/package.py", ...options]);
    const facts = path.resolve(ROOT, path.dirname(this.service.package.artifact), "function.json");
    this.service.provider.runtime = `python${JSON.parse(fs.readFileSync(facts, "utf8")).python}`;
  }

  // The bucket is in the stack from its creation, so that even the first model is there before the function reads it.
  createModelBucketFirst() {
    const { compiledCloudFormationTemplate, coreCloudFormationTemplate } = this.service.provider;
    for (const template of [compiledCloudFormationTemplate, coreCloudFormationTemplate]) {
      for (const name of ["ModelBucket", "ModelBucketPolicy"]) {
        template.Resources[name] = structuredClone(this.service.resources.Resources[name]);
      }
      template.Outputs.ModelBucketName = { Value: { Ref: "ModelBucket" } };
    }
    const written = path.join(ROOT, ".serverless", this.serverless.getProvider("aws").naming.getCoreTemplateFileName());
    this.serverless.utils.writeFileSync(written, coreCloudFormationTemplate);
  }

  // The model is named by its version, not by the pointer: each version of the function then keeps its model, and a
  // canary or a rollback only moves the alias.
  nameModel() {
    this.service.functions.api.environment.CARVAE_BUNDLE = { "Fn::Sub": `s3://\${ModelBucket}/models/${this.model}` };
  }

  addAlias() {
    const api = this.service.functions.api;
    const resources = this.service.provider.compiledCloudFormationTemplate.Resources;
    if (api.targetAlias) delete resources[api.targetAlias.logicalId]; // osls's own for SnapStart
    api.targetAlias = ALIAS;
    resources[ALIAS.logicalId] = {
      Type: "AWS::Lambda::Alias",
      Properties: {
        FunctionName: { Ref: "ApiLambdaFunction" },
        FunctionVersion: { "Fn::GetAtt": [api.versionLogicalId, "Version"] },
        Name: ALIAS.name,
      },
    };
    if (this.settings.canary) {
      const update = { ApplicationName: { Ref: "CanaryApplication" }, DeploymentGroupName: { Ref: "CanaryGroup" } };
      resources[ALIAS.logicalId].UpdatePolicy = { CodeDeployLambdaAliasUpdate: update };
    }
  }

  // The firewall's stack is in another region, so its address is known only once the stack exists.
  guardPage() {
    if (!this.settings.clientRate || this.serverless.processedInput.commands[0] !== "deploy") return;
    const { Distribution } = this.service.provider.compiledCloudFormationTemplate.Resources;
    Distribution.Properties.DistributionConfig.WebACLId = this.step("guard").firewall;
  }

  finish() {
    this.step("live");
    this.step("page");
    if (!this.settings.clientRate) this.step("unguard");
  }

  beforeRollback() {
    if (this.options.timestamp) this.live = this.step("check").live;
  }

  afterRollback() {
    if (this.options.timestamp) this.step("live");
  }

  async beforeRemoval() {
    this.make(".venv/deploy.stamp");
    if (!this.step("removable").remove) {
      // osls fails where there is no bucket to empty.
      this.serverless.pluginManager.hooks["remove:remove"].length = 0;
      return;
    }
    const { stage } = this.known();
    if (!this.options.yes) await this.ask(stage);
    this.step("empty");
  }

  async ask(stage) {
    const lost = `This removes carvae-${stage} and every model that was published to it.`;
    if (!process.stdin.isTTY) throw this.fail(`${lost} Say --yes to mean it`);
    const terminal = readline.createInterface({ input: process.stdin, output: process.stdout });
    const answer = await terminal.question(`${lost} Type the stage's name to go on: `);
    terminal.close();
    if (answer.trim() !== stage) throw this.fail(`${JSON.stringify(answer)} is not ${stage}: nothing is removed`);
  }

  known() {
    const provider = this.serverless.getProvider("aws");
    const { site, patience } = this.service.custom.settings ? { ...this.service.custom, ...this.settings } : {};
    return {
      stage: provider.getStage(),
      region: provider.getRegion(),
      bundle: this.bundle,
      concurrency: this.settings.concurrency,
      clientRate: this.settings.clientRate,
      live: this.live ?? null,
      patience,
      site,
    };
  }

  // A step on AWS; its last line is what it has to tell us.
  step(name) {
    const output = this.run(this.python, ["scripts/stack.py", name, JSON.stringify(this.known())], "pipe");
    const lines = output.trimEnd().split("\n");
    const told = JSON.parse(lines.pop());
    if (lines.length) console.log(lines.join("\n"));
    return told;
  }

  get python() {
    return path.join(ROOT, ".venv", "bin", "python");
  }

  make(target) {
    this.run("make", ["--silent", target]);
  }

  run(program, parameters, stdout = "inherit") {
    const env = { ...process.env, PYTHONPATH: ROOT, PYTHONUNBUFFERED: "1" };
    const stdio = ["ignore", stdout, "inherit"];
    const result = spawnSync(program, parameters, { cwd: ROOT, env, stdio, encoding: "utf8", maxBuffer: 2 ** 26 });
    if (result.error) throw this.fail(`${program}: ${result.error.message}`);
    if (result.status) {
      if (result.stdout) console.log(result.stdout.trimEnd());
      throw this.fail(`${path.basename(parameters[0])} ${parameters[1] ?? ""} failed; its message is above`);
    }
    return result.stdout ?? "";
  }
};
