// @ts-check
/*!
 * The recorder of the flow inspector: see docs/inspector.md.
 */
