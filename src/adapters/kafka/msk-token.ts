/** A token for Amazon MSK's IAM, signed here with the credentials the AWS SDK finds; good for 15 minutes. */
export async function mskToken(region: string): Promise<{ readonly value: string }> {
  // Large, and needed by few: an optional dependency.
  const { generateAuthToken } = await import('aws-msk-iam-sasl-signer-js');
  const { token } = await generateAuthToken({ region });
  return { value: token };
}
