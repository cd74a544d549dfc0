// @ts-check
/*!
 * The sign-in dialog and window of messenger-auth.js, loaded when a person is really needed.
 */
