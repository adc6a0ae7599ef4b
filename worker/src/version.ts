/** The version of the product, as health tells it; a test holds it equal to package.json. */
export const productVersion = '0.1.0';
