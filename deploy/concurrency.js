// What is reserved for the function: the stage's `concurrency`, where `none` reserves nothing. Part of serverless.yml, whose
// own parameters can't be null: the default would take its place.
module.exports = async ({ resolveVariable }) => {
  const concurrency = await resolveVariable("param:concurrency");
  return concurrency === "none" ? null : concurrency;
};
